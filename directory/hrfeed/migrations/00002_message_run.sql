-- +goose Up
-- The run that took a signed message: what it said, and what came of it. Empty of those that were taken before.
alter table hr_messages add column run_id text not null default '';

-- +goose Down
alter table hr_messages drop column run_id;
