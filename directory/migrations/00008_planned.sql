-- +goose Up
-- What a source says will hold from an instant on: [{"at": …, "set": {name: value}}], null where nothing is planned.
alter table records add column planned text not null default 'null';
create index records_planned on records (source_id, link) where planned <> 'null';

-- The next known instant at which something about the person changes by itself. What stood before is looked at once.
alter table persons add column due_at bigint;
create index persons_due on persons (due_at) where due_at is not null;
update persons set due_at = updated_at where exists (select 1 from freezes f
    where f.person_id = persons.id and f.lifted_at is null and (f.from_at is not null or f.until_at is not null))
    or exists (select 1 from records r where r.person_id = persons.id and (r.start_at is not null or r.end_at is not null
    or r.leave_from is not null or r.leave_until is not null or r.set_aside_until is not null));

-- Since when, and by which source, a veto is contradicted: a source says active although somebody was terminated at once.
alter table freezes add column contested_at bigint;
alter table freezes add column contested_by text not null default '';

-- +goose Down
alter table freezes drop column contested_by;
alter table freezes drop column contested_at;
drop index persons_due;
alter table persons drop column due_at;
drop index records_planned;
alter table records drop column planned;
