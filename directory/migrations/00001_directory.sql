-- +goose Up
-- One row per source. cursor is how far it has been read, live_records how many records are no tombstones: a list says
-- its total without counting.
create table sources (
    id           text    not null,
    name         text    not null,
    kind         text    not null,
    priority     integer not null,
    correlate    text    not null,
    advisory     boolean not null,
    cursor       text    not null,
    live_records bigint  not null,
    created_at   bigint  not null,
    synced_at    bigint,
    constraint sources_pk primary key (id),
    constraint sources_name unique (name)
);

create table source_tokens (
    id           text   not null,
    source_id    text   not null,
    name         text   not null,
    hash         text   not null,
    created_at   bigint not null,
    expires_at   bigint,
    last_used_at bigint,
    revoked_at   bigint,
    constraint source_tokens_pk primary key (id),
    constraint source_tokens_hash unique (hash),
    constraint source_tokens_source foreign key (source_id) references sources (id)
);
create index source_tokens_by_source on source_tokens (source_id);

-- What the records of a person together assert, merged. gone: no live record is left.
create table persons (
    id           text    not null,
    display_name text    not null,
    user_name    text    not null,
    email        text    not null,
    unit_id      text    not null,
    manager_id   text    not null,
    attributes   text    not null,
    search       text    not null,
    sort_key     text    not null,
    gone         boolean not null,
    absent       boolean not null,
    version      bigint  not null,
    created_at   bigint  not null,
    updated_at   bigint  not null,
    constraint persons_pk primary key (id)
);
create index persons_sort on persons (sort_key, id);
create index persons_unit on persons (unit_id);
create index persons_manager on persons (manager_id);

-- person_id is NULL while the source is in its dry run: nobody is joined to anybody yet.
-- user_name_key and external_key are what must be unique in a source while the record lives; NULL otherwise.
create table records (
    link              text    not null,
    source_id         text    not null,
    record_key        text    not null,
    person_id         text,
    external_id       text    not null,
    external_key      text,
    user_name         text    not null,
    user_name_fold    text    not null,
    user_name_key     text,
    active            boolean not null,
    display_name      text    not null,
    display_name_fold text    not null,
    given_name        text    not null,
    family_name       text    not null,
    title             text    not null,
    department        text    not null,
    division          text    not null,
    organization      text    not null,
    company           text    not null,
    employee_number   text    not null,
    employee_type     text    not null,
    cost_center       text    not null,
    locale            text    not null,
    time_zone         text    not null,
    emails            text    not null,
    phones            text    not null,
    labels            text    not null,
    unit_key          text    not null,
    manager_key       text    not null,
    start_at          bigint,
    end_at            bigint,
    leave_from        bigint,
    leave_until       bigint,
    raw               text    not null,
    hash              text    not null,
    version           bigint  not null,
    created_at        bigint  not null,
    updated_at        bigint  not null,
    absent_since      bigint,
    deleted_at        bigint,
    constraint records_pk primary key (link),
    constraint records_key unique (source_id, record_key),
    constraint records_user_name unique (source_id, user_name_key),
    constraint records_external unique (source_id, external_key),
    constraint records_source foreign key (source_id) references sources (id),
    constraint records_person foreign key (person_id) references persons (id)
);
create index records_live on records (source_id, link) where deleted_at is null;
create index records_by_person on records (person_id);
create index records_by_external on records (source_id, external_id, link);
create index records_by_display_name on records (source_id, display_name_fold, link);
create index records_by_number on records (employee_number);
create index records_by_manager on records (source_id, manager_key);
create index records_by_unit on records (source_id, unit_key);

-- E-mails and phones once more, for queries.
create table record_contacts (
    link       text    not null,
    kind       text    not null,
    ord        integer not null,
    value_fold text    not null,
    type_fold  text    not null,
    is_primary boolean not null,
    constraint record_contacts_pk primary key (link, kind, ord),
    constraint record_contacts_record foreign key (link) references records (link)
);
create index record_contacts_value on record_contacts (value_fold, kind, link);

create table units (
    id         text   not null,
    source_id  text   not null,
    unit_key   text   not null,
    parent_key text   not null,
    name       text   not null,
    names      text   not null,
    created_at bigint not null,
    updated_at bigint not null,
    constraint units_pk primary key (id),
    constraint units_key unique (source_id, unit_key),
    constraint units_source foreign key (source_id) references sources (id)
);
create index units_by_parent on units (source_id, parent_key);

create table directory_groups (
    id                text   not null,
    source_id         text   not null,
    group_key         text   not null,
    external_id       text   not null,
    external_key      text,
    display_name      text   not null,
    display_name_fold text   not null,
    display_name_key  text,
    raw               text   not null,
    version           bigint not null,
    created_at        bigint not null,
    updated_at        bigint not null,
    constraint directory_groups_pk primary key (id),
    constraint directory_groups_key unique (source_id, group_key),
    constraint directory_groups_name unique (source_id, display_name_key),
    constraint directory_groups_external unique (source_id, external_key),
    constraint directory_groups_source foreign key (source_id) references sources (id)
);
create index directory_groups_by_name on directory_groups (source_id, display_name_fold);
create index directory_groups_by_external on directory_groups (source_id, external_id);

-- value is the key of a record or a group of the same source; that nobody has it yet is not an error.
create table group_members (
    group_id  text not null,
    value     text not null,
    source_id text not null,
    constraint group_members_pk primary key (group_id, value),
    constraint group_members_group foreign key (group_id) references directory_groups (id)
);
create index group_members_by_value on group_members (source_id, value);

create table freezes (
    id         text    not null,
    person_id  text    not null,
    slot       text    not null,
    cause      text    not null,
    source_id  text    not null,
    from_at    bigint,
    until_at   bigint,
    veto       boolean not null,
    rev        bigint  not null,
    created_at bigint  not null,
    lifted_at  bigint,
    constraint freezes_pk primary key (id),
    constraint freezes_person foreign key (person_id) references persons (id)
);
create unique index freezes_standing on freezes (person_id, slot) where lifted_at is null;
create index freezes_by_person on freezes (person_id);

-- +goose Down
drop table freezes;
drop table group_members;
drop table directory_groups;
drop table units;
drop table record_contacts;
drop table records;
drop table persons;
drop table source_tokens;
drop table sources;
