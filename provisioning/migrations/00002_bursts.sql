-- +goose Up
-- One freeze that a hold of the cause "burst" lists; each is in one burst only. outcome says what became of it.
create table hold_freezes (
    freeze_id text  not null,
    hold     text   not null,
    person   text   not null,
    cause    text   not null,
    at       bigint not null,
    ended_at bigint,
    outcome  text   not null constraint hold_freezes_outcome check (outcome in ('', 'restored', 'confirmed', 'lifted')),
    constraint hold_freezes_pk primary key (freeze_id),
    constraint hold_freezes_hold foreign key (hold) references holds (id)
);
create index hold_freezes_by_hold on hold_freezes (hold, at);
create index hold_freezes_by_person on hold_freezes (person);

-- +goose Down
drop table hold_freezes;
