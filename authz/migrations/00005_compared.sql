-- +goose Up
-- Up to where OpenFGA's own list of changes was looked through for what others wrote, and from when on its tuples are due to be read whole.
alter table authz_engine add column changes_token text not null default '';
alter table authz_engine add column sweep_at bigint not null default 0;

-- +goose Down
alter table authz_engine drop column sweep_at;
alter table authz_engine drop column changes_token;
