-- +goose Up
-- By what people were called before, for the search of administrators alone.
create table former_names (
    person_id text   not null,
    words     text   not null,
    at        bigint not null,
    constraint former_names_pk primary key (person_id, words)
);
create index former_names_old on former_names (at);

-- +goose Down
drop table former_names;
