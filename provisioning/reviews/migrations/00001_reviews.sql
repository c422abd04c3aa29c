-- +goose Up
-- One access review. about and ref say of what; until is when reviewers were to have answered, ends_at when silence is an answer.
create table reviews (
    id         text   not null,
    about      text   not null constraint reviews_about check (about in ('group', 'channel', 'reason', 'outside')),
    ref        text   not null,
    reviewer   text   not null constraint reviews_reviewer check (reviewer in ('owner', 'manager', 'person')),
    named      text   not null,
    silence    text   not null constraint reviews_silence check (silence in ('remove', 'keep')),
    made_by    text   not null,
    created_at bigint not null,
    until      bigint not null,
    ends_at    bigint not null,
    closed_at  bigint,
    constraint reviews_pk primary key (id)
);
create index reviews_open on reviews (ends_at) where closed_at is null;

-- One membership as it was when the review began, who is asked about it, what they said and what became of it.
create table review_lines (
    review     text   not null,
    membership text   not null,
    person     text   not null,
    group_id   text   not null,
    role       text   not null,
    since      bigint not null,
    reasons    text   not null,
    reviewer   text   not null,
    decision   text   not null constraint review_lines_decision check (decision in ('', 'keep', 'remove')),
    why        text   not null,
    decided_by text   not null,
    decided_at bigint,
    outcome    text   not null constraint review_lines_outcome check (outcome in ('', 'kept', 'removed', 'finding', 'held', 'gone')),
    outcome_at bigint,
    constraint review_lines_pk primary key (review, membership),
    constraint review_lines_review foreign key (review) references reviews (id)
);
create index review_lines_reviewer on review_lines (reviewer, review) where decision = '';

-- +goose Down
drop table review_lines;
drop table reviews;
