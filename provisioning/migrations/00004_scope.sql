-- +goose Up
-- What a hold is about beside its cause, source and group: an attribute, a unit or a directory group of which many lost the same.
alter table holds add column scope text not null default '';
drop index holds_open;
create unique index holds_open on holds (cause, source, group_id, scope) where state = 'open';

-- +goose Down
drop index holds_open;
create unique index holds_open on holds (cause, source, group_id) where state = 'open';
alter table holds drop column scope;
