-- +goose Up
-- What people set of a source besides its configuration, by version; the newest holds. value is JSON.
create table source_settings (
    source_id  text   not null,
    name       text   not null,
    version    bigint not null,
    value      text   not null,
    created_at bigint not null,
    actor      text   not null,
    constraint source_settings_pk primary key (source_id, name, version),
    constraint source_settings_source foreign key (source_id) references sources (id)
);

-- +goose Down
drop table source_settings;
