-- +goose Up
-- Until when it is asked for, where that is an instant.
alter table approval_requests add column asked_until bigint;

-- +goose Down
alter table approval_requests drop column asked_until;
