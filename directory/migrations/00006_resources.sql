-- +goose Up
-- What sources keep here of resource types from configuration: nobody's access depends on it. raw holds all of it.
create table resources (
    id          text   not null,
    source_id   text   not null,
    type        text   not null,
    external_id text   not null,
    raw         text   not null,
    version     bigint not null,
    created_at  bigint not null,
    updated_at  bigint not null,
    constraint resources_pk primary key (id),
    constraint resources_source foreign key (source_id) references sources (id)
);
create index resources_by_type on resources (source_id, type, id);
create index resources_by_external on resources (source_id, type, external_id, id);

-- The values that no other resource of the type has in the source, in the form they are compared in.
create table resource_values (
    attribute   text not null,
    value       text not null,
    type        text not null,
    source_id   text not null,
    resource_id text not null,
    constraint resource_values_pk primary key (attribute, value, type, source_id),
    constraint resource_values_resource foreign key (resource_id) references resources (id)
);
create index resource_values_by_resource on resource_values (resource_id);

-- +goose Down
drop table resource_values;
drop table resources;
