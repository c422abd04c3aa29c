-- +goose Up
-- Until when a human being sets aside that the source says "inactive" or "deleted" of this record.
alter table records add column set_aside_until bigint;

-- Who set or undid a freeze in the console, and why; empty for those of sources.
alter table freezes add column actor text not null default '';
alter table freezes add column reason text not null default '';
create index freezes_by_source on freezes (source_id, created_at) where lifted_at is null;

-- +goose Down
drop index freezes_by_source;
alter table freezes drop column reason;
alter table freezes drop column actor;
alter table records drop column set_aside_until;
