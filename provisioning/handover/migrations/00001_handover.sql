-- +goose Up
-- One step of the succession of one thing: to whom it was offered, and what became of that. case_id holds the steps of one succession together.
create table handovers (
    id          text   not null,
    case_id     text   not null,
    kind        text   not null,
    thing       text   not null,
    from_person text   not null,
    to_person   text   not null,
    why         text   not null,
    state       text   not null constraint handovers_state check (state in ('waiting', 'offered', 'accepted', 'refused', 'ended')),
    opened_at   bigint not null,
    closed_at   bigint,
    closed_by   text   not null,
    constraint handovers_pk primary key (id),
    constraint handovers_open check ((closed_at is null) = (state in ('waiting', 'offered')))
);
create unique index handovers_current on handovers (kind, thing) where closed_at is null;
create index handovers_from on handovers (from_person, opened_at);
create index handovers_to on handovers (to_person, opened_at);
create index handovers_case on handovers (case_id);

-- Who was above somebody while they answered for a thing: a mover has another manager afterwards.
create table handover_heads (
    kind    text not null,
    thing   text not null,
    person  text not null,
    manager text not null,
    constraint handover_heads_pk primary key (kind, thing, person)
);

-- +goose Down
drop table handover_heads;
drop table handovers;
