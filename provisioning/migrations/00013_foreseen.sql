-- +goose Up
-- What the guard said of a run of a source as a whole, while its parts are written.
create table foreseen (
    source  text   not null,
    run     text   not null,
    verdict text   not null,
    at      bigint not null,
    constraint foreseen_pk primary key (source)
);

-- +goose Down
drop table foreseen;
