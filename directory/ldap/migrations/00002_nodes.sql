-- +goose Up
-- Several nodes: how the one who follows a source said it stands, as JSON, and who asks it to let go, until when.
alter table ldap_runners add column status text not null default '';
alter table ldap_runners add column wanted text not null default '';
alter table ldap_runners add column wanted_until bigint not null default 0;

-- What was seen last before a mapping is put in force, on whichever node; value holds numbers only.
create table ldap_previews (
    source_id text   not null,
    hash      text   not null,
    value     text   not null,
    at        bigint not null,
    constraint ldap_previews_pk primary key (source_id),
    constraint ldap_previews_source foreign key (source_id) references sources (id) on delete cascade
);

-- +goose Down
drop table ldap_previews;
alter table ldap_runners drop column wanted_until;
alter table ldap_runners drop column wanted;
alter table ldap_runners drop column status;
