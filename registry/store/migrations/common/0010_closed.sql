-- +goose Up
-- When a place's owner left. Its name stays while visits point to it (Book.Tidy).
ALTER TABLE facilities ADD COLUMN closed BIGINT;

-- +goose Down
ALTER TABLE facilities DROP COLUMN closed;
