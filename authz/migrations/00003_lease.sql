-- +goose Up
-- How long each node's lease is: who waits for it waits as long.
alter table authz_nodes add column ttl bigint not null default 0;

-- +goose Down
alter table authz_nodes drop column ttl;
