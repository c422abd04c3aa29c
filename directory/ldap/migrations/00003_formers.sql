-- +goose Up
-- What an entry was called before it was renamed, as JSON: servers without referential integrity leave such names in groups.
alter table ldap_objects add column formers text not null default '';

-- +goose Down
alter table ldap_objects drop column formers;
