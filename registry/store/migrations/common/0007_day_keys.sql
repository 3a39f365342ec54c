-- +goose Up
-- Which key each day's pass ids are sealed under (DB.agree): one block of AES
-- tells nobody that it was opened with another. The keys themselves are not here.
CREATE TABLE day_keys (
	day    BIGINT PRIMARY KEY, -- as visits.day
	digest BYTEA  NOT NULL     -- SHA-256 of "munjigi day key check" and the key
);

-- +goose Down
DROP TABLE day_keys;
