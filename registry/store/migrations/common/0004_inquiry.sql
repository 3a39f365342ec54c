-- +goose Up
-- Investigations (pass/trace/TRACE.md). The place is here, people and pass ids
-- are not: groups are sealed to their issuers, reports, sheets and answers to
-- the officer who asked.
CREATE TABLE inquiries (
	id       TEXT   PRIMARY KEY, -- SHA-256 of the signed order, hexadecimal
	officer  TEXT   NOT NULL,    -- who asked
	state    TEXT   NOT NULL,    -- asked, approved, grouped, answered, closed
	asked    BIGINT NOT NULL,    -- when it arrived
	until    BIGINT NOT NULL,    -- no approval (asked) or no answer (later) is taken any more
	erase    BIGINT NOT NULL,    -- nothing of it is kept any more
	request  BYTEA,              -- signed order; NULL once closed, like all below
	place    BYTEA,              -- CBOR
	approval BYTEA,
	report   BYTEA
);

CREATE TABLE inquiry_groups (
	inquiry TEXT   NOT NULL REFERENCES inquiries (id),
	part    BIGINT NOT NULL, -- 0, 1, 2 …
	issuer  TEXT   NOT NULL,
	digest  TEXT   NOT NULL, -- SHA-256 of the sealed group, hexadecimal
	sealed  BYTEA,           -- the group; NULL once answered or past its time
	sheet   BYTEA  NOT NULL,
	answer  BYTEA,
	PRIMARY KEY (inquiry, part)
);

-- +goose Down
DROP TABLE inquiry_groups;
DROP TABLE inquiries;
