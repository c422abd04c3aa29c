-- +goose Up
-- Who has which role of administrators, for a unit with all below it or (empty) for the whole organisation.
create table session_roles (
    person     text   not null,
    role       text   not null,
    unit       text   not null,
    granted_by text   not null,
    granted_at bigint not null,
    constraint session_roles_pk primary key (person, role, unit)
);
insert into session_roles (person, role, unit, granted_by, granted_at)
    select person, 'owner', '', granted_by, granted_at from session_admins;
drop table session_admins;

alter table session_tokens add column role text not null default '';
alter table session_tokens add column unit text not null default '';
alter table session_tokens add column dangerous boolean not null default false;
update session_tokens set role = 'owner', dangerous = true where admin;
alter table session_tokens drop column admin;

-- +goose Down
alter table session_tokens add column admin boolean not null default false;
update session_tokens set admin = true where role = 'owner';
alter table session_tokens drop column dangerous;
alter table session_tokens drop column unit;
alter table session_tokens drop column role;
create table session_admins (
    person     text   not null,
    granted_by text   not null,
    granted_at bigint not null,
    constraint session_admins_pk primary key (person)
);
insert into session_admins (person, granted_by, granted_at)
    select person, granted_by, granted_at from session_roles where role = 'owner';
drop table session_roles;
