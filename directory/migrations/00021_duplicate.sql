-- +goose Up
-- Two who are both here are no rehire: a kind of its own. Neither engine changes a check in place in words of the other: the table is made anew.
create table work_items_before as select * from work_items;
drop table work_items;
create table work_items (
    id         text   not null,
    kind       text   not null constraint work_items_kind check (kind in ('possible_rehire', 'possible_duplicate', 'same_user_name', 'ambiguous_match')),
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
update work_items set kind = 'possible_duplicate' where kind = 'possible_rehire' and state = 'open'
    and exists (select 1 from records r where r.person_id = newer and r.active and r.deleted_at is null and r.absent_since is null)
    and exists (select 1 from records r where r.person_id = older and r.active and r.deleted_at is null and r.absent_since is null);

-- +goose Down
update work_items set kind = 'possible_rehire' where kind = 'possible_duplicate';
