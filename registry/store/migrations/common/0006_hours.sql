-- +goose Up
-- When a branch wants to be told of silent kiosks, in minutes from midnight in
-- Seoul: many are switched off at night. A branch that is not here always does.
CREATE TABLE branch_hours (
	facility TEXT   PRIMARY KEY REFERENCES facilities (id),
	opens    BIGINT NOT NULL,
	closes   BIGINT NOT NULL -- after midnight where it is before opens
);

-- +goose Down
DROP TABLE branch_hours;
