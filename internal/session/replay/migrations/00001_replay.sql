-- +goose Up
create table replay_answers (
    actor       text    not null,
    key         text    not null,
    fingerprint text    not null,
    began_at    bigint  not null,
    status      integer not null,
    header      text    not null,
    body        text    not null,
    constraint replay_answers_pk primary key (actor, key)
);
create index replay_answers_began on replay_answers (began_at);

-- +goose Down
drop table replay_answers;
