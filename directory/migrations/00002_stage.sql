-- +goose Up
-- mode is live, dry_run, going_live or discarding. stage_version moves with each write while the source is not live.
alter table sources add column mode text not null default 'live';
alter table sources add column stage_version bigint not null default 0;
create index records_staged on records (source_id, link) where person_id is null;

-- +goose Down
drop index records_staged;
alter table sources drop column stage_version;
alter table sources drop column mode;
