-- +goose Up
-- The audit log: each line is a signed message that holds the digest of the
-- line before it (audit.go). Nothing ever updates or deletes here.
CREATE TABLE audit (
	seq  BIGINT PRIMARY KEY, -- 1, 2, 3 … without a gap
	line BYTEA  NOT NULL     -- COSE_Sign1
);

-- +goose Down
DROP TABLE audit;
