-- +goose Up
-- An employee number and a userName as they look (no blanks around, no full-width letters), where that is not what they are: whoever is kept out
-- is found by either. A table of its own: few records have any. The row without a link says that all records were looked at.
create table record_looks (
    link  text not null,
    hint  text not null,
    value text not null,
    constraint record_looks_pk primary key (link, hint)
);
create index record_looks_value on record_looks (hint, value);

-- +goose Down
drop table record_looks;
