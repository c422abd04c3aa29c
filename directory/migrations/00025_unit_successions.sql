-- +goose Up
-- What a unit becomes from an instant on, as somebody declared it: one row per unit that was and unit that is. Its name is kept, because rules say it.
create table unit_successions (
    id           text   not null,
    source_id    text   not null,
    kind         text   not null constraint unit_successions_kind check (kind in ('renumber', 'split', 'merge')),
    old_key      text   not null,
    old_unit     text   not null,
    old_name     text   not null,
    old_names    text   not null,
    new_key      text   not null,
    effective_at bigint not null,
    created_at   bigint not null,
    settled_at   bigint,
    actor        text   not null,
    constraint unit_successions_pk primary key (source_id, old_key, new_key),
    constraint unit_successions_source foreign key (source_id) references sources (id)
);
create index unit_successions_new on unit_successions (source_id, new_key);
create index unit_successions_unit on unit_successions (old_unit);
create index unit_successions_open on unit_successions (effective_at) where settled_at is null;

-- +goose Down
drop table unit_successions;
