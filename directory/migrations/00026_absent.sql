-- +goose Up
-- Whom sources miss: they are few among many.
create index records_absent on records (absent_since, person_id) where absent_since is not null;

-- +goose Down
drop index records_absent;
