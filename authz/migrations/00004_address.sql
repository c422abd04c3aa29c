-- +goose Up
-- Where each node is reached, for whoever wants to watch it.
alter table authz_nodes add column address text not null default '';

-- +goose Down
alter table authz_nodes drop column address;
