-- +goose Up
-- When a source last said something new about an employment. What was deleted before is no last word on anybody.
alter table records add column said_at bigint;
update records set said_at = 1 + (select max(deleted_at) from records) where deleted_at is null;

-- +goose Down
alter table records drop column said_at;
