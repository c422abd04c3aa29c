-- +goose Up
-- How far each outlet is. A name that is configured again goes on where it was.
create table audit_outlets (
    name            text   not null,
    next            bigint not null,
    sent_at         bigint,
    checkpoint_size bigint not null,
    checkpoint_root text   not null,
    checkpoint_at   bigint,
    problem         text   not null,
    problem_since   bigint,
    constraint audit_outlets_pk primary key (name)
);

-- +goose Down
drop table audit_outlets;
