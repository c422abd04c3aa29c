-- +goose Up
-- The account of two persons for the day on which nobody else gets in: two halves, as hashes; one use.
create table session_emergency (
    id          integer not null,
    first_hash  text    not null,
    second_hash text    not null,
    sealed_by   text    not null,
    sealed_at   bigint  not null,
    half        integer not null,
    half_at     bigint,
    used_at     bigint,
    constraint session_emergency_pk primary key (id)
);

-- +goose Down
drop table session_emergency;
