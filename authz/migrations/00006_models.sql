-- +goose Up
-- The newest authorization model in our store of OpenFGA that was looked at: what is newer, and is not ours, others wrote.
alter table authz_engine add column model_seen text not null default '';

-- +goose Down
alter table authz_engine drop column model_seen;
