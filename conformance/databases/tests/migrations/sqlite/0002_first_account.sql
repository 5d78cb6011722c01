INSERT INTO account (name) VALUES ('first');
