-- +goose Up
-- Sources that were taken live: what was looked at (hash), and what the guard said of all of it together while its parts are written.
create table go_lives (
    source      text   not null,
    hash        text   not null,
    verdict     text   not null,
    actor       text   not null,
    started_at  bigint not null,
    finished_at bigint,
    constraint go_lives_pk primary key (source)
);
create index go_lives_open on go_lives (source) where finished_at is null;

-- +goose Down
drop table go_lives;
