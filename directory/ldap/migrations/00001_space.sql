-- +goose Up
-- The connector space: what a directory showed last of each entry, and what of it was written. hash is of the entry; where it is empty the
-- next full comparison writes the entry again. unit, manager_key, named and members say what the store was given; waits names what a group
-- refers to and nobody is called, as JSON.
create table ldap_objects (
    source_id   text    not null,
    object_key  text    not null,
    class       text    not null,
    dn          text    not null,
    hash        text    not null,
    manager     text    not null,
    manager_key text    not null,
    unit_key    text    not null,
    user_name   text    not null,
    login       text    not null,
    named       boolean not null,
    members     text    not null,
    waits       text    not null,
    constraint ldap_objects_pk primary key (source_id, object_key),
    constraint ldap_objects_source foreign key (source_id) references sources (id) on delete cascade
);

-- Who follows a source, and until when nobody else may; writer is who wrote last.
create table ldap_runners (
    source_id   text   not null,
    holder      text   not null,
    lease_until bigint not null,
    writer      text   not null,
    constraint ldap_runners_pk primary key (source_id),
    constraint ldap_runners_source foreign key (source_id) references sources (id) on delete cascade
);

-- Entries that were renamed or went, and of which it is not looked at yet what refers to them.
create table ldap_doubts (
    source_id  text not null,
    object_key text not null,
    constraint ldap_doubts_pk primary key (source_id, object_key),
    constraint ldap_doubts_source foreign key (source_id) references sources (id) on delete cascade
);

-- +goose Down
drop table ldap_doubts;
drop table ldap_runners;
drop table ldap_objects;
