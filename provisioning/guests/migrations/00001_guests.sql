-- +goose Up
-- One row that every writer of this package locks first, so that limits are counted and a company is suspended one after the other.
create table guests_state (
    id        integer not null,
    closed_at bigint,
    constraint guests_state_pk primary key (id),
    constraint guests_state_one check (id = 1)
);
insert into guests_state (id) values (1);

-- An organisation whose people may be let in. ends_at is the end of its contract.
create table guest_companies (
    id           text    not null,
    key          text    not null,
    names        text    not null,
    domains      text    not null,
    owner        text    not null,
    documents    text    not null,
    most         integer not null,
    ends_at      bigint,
    suspended_at bigint,
    created_at   bigint  not null,
    made_by      text    not null,
    constraint guest_companies_pk primary key (id),
    constraint guest_companies_key unique (key)
);

-- Somebody as one company knows them. settled is the version of the row that the directory and the memberships have; person is empty until there is one.
create table guests (
    id           text   not null,
    company      text   not null,
    email        text   not null,
    email_key    text   not null,
    name         text   not null,
    sponsor      text   not null,
    person       text   not null,
    version      bigint not null,
    settled      bigint not null,
    created_at   bigint not null,
    suspended_at bigint,
    ended_at     bigint,
    constraint guests_pk primary key (id),
    constraint guests_company foreign key (company) references guest_companies (id),
    constraint guests_email unique (company, email_key)
);
create index guests_sponsor on guests (sponsor);
create index guests_person on guests (person);
create index guests_unsettled on guests (id) where settled <> version;

-- The channels that somebody was let into, each until when. One that was given and is not there any more was taken by others, and is not given again by itself.
create table guest_places (
    guest    text   not null,
    group_id text   not null,
    channel  text   not null,
    until_at bigint not null,
    given    boolean not null,
    constraint guest_places_pk primary key (guest, group_id, channel),
    constraint guest_places_guest foreign key (guest) references guests (id)
);
create index guest_places_until on guest_places (until_at);

-- That somebody was to be let in, or for longer: what was asked, by whom, and what became of it.
create table guest_invitations (
    id          text    not null,
    guest       text    not null,
    email       text    not null,
    name        text    not null,
    group_id    text    not null,
    channels    text    not null,
    sponsor     text    not null,
    asked_by    text    not null,
    unowned     boolean not null,
    reason      text    not null,
    asked_until bigint  not null,
    until_at    bigint  not null,
    bound_by    text    not null constraint guest_invitations_bound check (bound_by in ('asked', 'policy', 'contract', 'approval')),
    state       text    not null constraint guest_invitations_state check (state in ('waiting', 'granted', 'withdrawn')),
    asked_at    bigint  not null,
    decided_at  bigint,
    constraint guest_invitations_pk primary key (id),
    constraint guest_invitations_guest foreign key (guest) references guests (id)
);
create index guest_invitations_of on guest_invitations (guest, asked_at);

-- +goose Down
drop table guest_invitations;
drop table guest_places;
drop table guests;
drop table guest_companies;
drop table guests_state;
