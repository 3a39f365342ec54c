-- +goose Up
-- When the retention last destroyed by a clock it believed (DB.Doubt). One row.
CREATE TABLE retained (
	id BIGINT PRIMARY KEY, -- 1
	at BIGINT NOT NULL     -- Unix milliseconds, the registry's clock
);

-- +goose Down
DROP TABLE retained;
