-- +goose Up
-- What guests have to accept before they see anything; the newest version holds.
create table guest_terms (
    version integer not null,
    texts   text    not null,
    made_by text    not null,
    made_at bigint  not null,
    constraint guest_terms_pk primary key (version)
);

create table guest_acceptances (
    guest    text    not null,
    version  integer not null,
    language text    not null,
    address  text    not null,
    at       bigint  not null,
    constraint guest_acceptances_pk primary key (guest, version),
    constraint guest_acceptances_guest foreign key (guest) references guests (id),
    constraint guest_acceptances_version foreign key (version) references guest_terms (version)
);
create index guest_acceptances_at on guest_acceptances (at);

-- Who came from an identity provider, as whom: the session says so.
alter table guest_arrivals add column issuer text not null default '';
alter table guest_arrivals add column subject text not null default '';
alter table guest_arrivals add column sid text not null default '';

-- +goose Down
alter table guest_arrivals drop column sid;
alter table guest_arrivals drop column subject;
alter table guest_arrivals drop column issuer;
drop table guest_acceptances;
drop table guest_terms;
