-- +goose Up
-- When somebody was erased: who they were is gone, the id stays.
alter table persons add column erased_at bigint;

-- By what somebody who was erased would be known again: nothing but keyed hashes.
create table erased_marks (
    mark      text not null,
    person_id text not null,
    hint      text not null,
    constraint erased_marks_pk primary key (mark, person_id),
    constraint erased_marks_person foreign key (person_id) references persons (id)
);

-- The key of the hashes, sealed where secrets are.
create table erased_key (
    id     integer not null constraint erased_key_one check (id = 1),
    secret text    not null,
    constraint erased_key_pk primary key (id)
);

create table work_items_before as select * from work_items;
drop table work_items;
create table work_items (
    id         text   not null,
    kind       text   not null constraint work_items_kind check (kind in ('possible_rehire', 'possible_duplicate', 'same_user_name', 'ambiguous_match', 'erased_return')),
    newer      text   not null,
    older      text   not null,
    source_id  text   not null,
    link       text   not null,
    hint       text   not null,
    hints      text   not null,
    state      text   not null constraint work_items_state check (state in ('open', 'linked', 'separated', 'vanished')),
    kept       text   not null,
    moved      text   not null,
    created_at bigint not null,
    closed_at  bigint,
    closed_by  text   not null,
    constraint work_items_pk primary key (id),
    constraint work_items_pair unique (newer, older),
    constraint work_items_newer foreign key (newer) references persons (id),
    constraint work_items_older foreign key (older) references persons (id)
);
insert into work_items (id, kind, newer, older, source_id, link, hint, hints, state, kept, moved, created_at, closed_at, closed_by)
    select id, kind, newer, older, source_id, link, hint, hints, state, kept, moved, created_at, closed_at, closed_by from work_items_before;
drop table work_items_before;
create index work_items_by_older on work_items (older);
create index work_items_open on work_items (source_id, hint, id) where state = 'open';
create index work_items_closed on work_items (state, id);

-- +goose Down
drop table erased_key;
drop table erased_marks;
alter table persons drop column erased_at;
