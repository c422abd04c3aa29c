-- +goose Up
-- From when on a planned membership is in force; null once it is and somebody has been told. since is that instant too.
alter table memberships add column begins_at bigint;
create index memberships_due on memberships (begins_at) where ended_at is null and begins_at is not null;

-- +goose Down
drop index memberships_due;
alter table memberships drop column begins_at;
