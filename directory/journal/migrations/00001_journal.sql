-- +goose Up
-- The last requests of each source with their answers: personal data, kept for a day at most.
create table source_requests (
    id             text    not null,
    source_id      text    not null,
    at             bigint  not null,
    method         text    not null,
    path           text    not null,
    query          text    not null,
    status         integer not null,
    failed         boolean not null,
    scim_type      text    not null,
    detail         text    not null,
    micros         bigint  not null,
    resource_id    text    not null,
    token_id       text    not null,
    ignored        text    not null,
    client         text    not null,
    request_body   text    not null,
    request_bytes  bigint  not null,
    answer_body    text    not null,
    answer_bytes   bigint  not null,
    constraint source_requests_pk primary key (id)
);
create index source_requests_last on source_requests (source_id, at);
create index source_requests_old on source_requests (at);

-- How many requests came in each hour (microseconds of its beginning); those whose token nobody knows have no source.
create table source_traffic (
    source_id text   not null,
    hour      bigint not null,
    requests  bigint not null,
    failed    bigint not null,
    limited   bigint not null,
    constraint source_traffic_pk primary key (source_id, hour)
);

-- Names of attributes that a source sends and nobody understands.
create table source_ignored (
    source_id text   not null,
    attribute text   not null,
    requests  bigint not null,
    last_at   bigint not null,
    constraint source_ignored_pk primary key (source_id, attribute)
);

-- +goose Down
drop table source_ignored;
drop table source_traffic;
drop table source_requests;
