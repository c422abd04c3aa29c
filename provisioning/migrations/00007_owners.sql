-- +goose Up
-- Which groups ever had an owner, and who.
create index reasons_owner on reasons (membership, ended_at) where role = 'owner';

-- +goose Down
drop index reasons_owner;
