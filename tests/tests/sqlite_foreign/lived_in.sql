-- A database in which many hands have been: every spelling that SQLite takes.
create table "Users" (
    Id integer primary key autoincrement, -- the key, counted
    [E Mail] varchar ( 200 ) not null collate nocase unique on conflict ignore,
    `full name` TEXT default 'it''s, (nobody)' /* a comment, with a comma */,
    'nick' "long text" DEFAULT nobody,
    Age INT CHECK (Age >= 0 AND "age" < 200), -- not ' closed
    Balance NUMERIC(10, 2) NOT NULL ON CONFLICT FAIL DEFAULT -1.50,
    Active BOOLEAN NOT NULL DEFAULT TRUE,
    untyped,
    payload BLOB DEFAULT x'00ff',
    created DATETIME DEFAULT CURRENT_TIMESTAMP,
    token TEXT DEFAULT (lower(hex(randomblob(4)))),
    initials TEXT GENERATED ALWAYS AS (substr("full name", 1, 1)) VIRTUAL,
    shout AS (upper([full name])) STORED,
    CONSTRAINT "age or name" CHECK ([full name] IS NOT NULL OR age IS NOT NULL),
    CHECK (length(nick) < 50)
);
CREATE UNIQUE INDEX "Users by name" ON Users ("full name" COLLATE RTRIM DESC, age) WHERE active AND Age > 10;
CREATE INDEX users_lower ON Users (lower([E Mail]), Balance * 2 DESC);
create index if not exists users_age on users(AGE);

CREATE TABLE teams (
    code TEXT PRIMARY KEY, -- admits null, as SQLite's keys do
    name NVARCHAR(160) NOT NULL COLLATE RTRIM,
    parent TEXT REFERENCES teams ON DELETE SET NULL,
    rank REAL UNIQUE ON CONFLICT REPLACE,
    kind TEXT NOT NULL DEFAULT 'open' CHECK (kind IN ('open', 'closed')),
    UNIQUE (name COLLATE NOCASE, kind DESC) ON CONFLICT IGNORE
);

CREATE TABLE members (
    user_id INTEGER NOT NULL REFERENCES USERS (ID) ON DELETE CASCADE ON UPDATE CASCADE,
    team TEXT NOT NULL CONSTRAINT member_team REFERENCES Teams (CODE) ON UPDATE SET DEFAULT MATCH FULL DEFERRABLE INITIALLY DEFERRED,
    since DATE,
    note TEXT COLLATE BINARY,
    PRIMARY KEY (user_id, team DESC)
) WITHOUT ROWID;

CREATE TABLE strict_ones (
    id INTEGER PRIMARY KEY,
    i INT, r REAL NOT NULL DEFAULT 0.5, t TEXT COLLATE NOCASE, b BLOB, a ANY DEFAULT 5
) STRICT;

CREATE TABLE strict_keys (k TEXT PRIMARY KEY, v any) STRICT, WITHOUT ROWID;

-- Points at fields that are no key, at a table that is not there, and at a key without naming it.
CREATE TABLE loose (
    n INTEGER PRIMARY KEY DESC,
    age INTEGER REFERENCES users(age),
    gone INTEGER REFERENCES nowhere (id) ON DELETE RESTRICT,
    team TEXT,
    rank REAL,
    x NUMERIC COLLATE NOCASE,
    FOREIGN KEY (team) REFERENCES teams DEFERRABLE,
    FOREIGN KEY (rank) REFERENCES teams (rank) ON DELETE NO ACTION ON UPDATE RESTRICT
    CHECK (x <> 'never') CONSTRAINT "" CHECK (n <> 13)
);

CREATE TABLE "order" ("group" INTEGER PRIMARY KEY, "select" TEXT, "from" TEXT DEFAULT "quoted", [2nd] INT, "a""b" TEXT);
CREATE INDEX [by select] ON "order"("select", [2nd] DESC) WHERE "from" IS NOT NULL -- the end
;
CREATE TABLE log (at TEXT DEFAULT (datetime('now')), what TEXT, who INTEGER);
CREATE TABLE items AS SELECT 1 AS id, 'one' AS name;
CREATE TABLE keyed (a INT, b INT, c TEXT, CONSTRAINT pk_named PRIMARY KEY (b, a) ON CONFLICT ROLLBACK, CONSTRAINT c_once UNIQUE (c));

CREATE VIEW active_users AS SELECT Id, "full name" AS name, age FROM users WHERE active;
CREATE VIEW adults (id, label) AS SELECT id, name || ' (' || age || ')' FROM active_users WHERE age >= 18;
CREATE VIEW counts AS SELECT t.code, t.name, (SELECT count(*) FROM members m WHERE m.team = t.code) AS n FROM teams AS t;

CREATE TRIGGER users_log AFTER UPDATE OF age ON users WHEN new.age <> old.age BEGIN
    INSERT INTO log (what, who) VALUES ('age; of "' || new.[full name] || '"', new.Id);
END;
CREATE TRIGGER adults_in INSTEAD OF INSERT ON adults BEGIN
    INSERT INTO users ("E Mail", [full name], age) VALUES (NEW.label, NEW.label, 18);
END;
CREATE TRIGGER teams_gone BEFORE DELETE ON Teams BEGIN
    DELETE FROM members WHERE team = OLD.code;
    SELECT CASE WHEN OLD.kind = 'closed' THEN raise(ABORT, 'closed; stays') END;
END;

CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
CREATE VIRTUAL TABLE posts_words USING fts5(title, body, content='posts', content_rowid='id');
CREATE TRIGGER posts_in AFTER INSERT ON posts BEGIN
    INSERT INTO posts_words(rowid, title, body) VALUES (new.id, new.title, new.body);
END;
CREATE VIRTUAL TABLE notes USING fts5(line);

INSERT INTO users (id, "E Mail", "full name", age, balance, untyped) VALUES
    (1, 'a@x', 'Ada', 36, 10.25, 'text'), (2, 'B@x', 'Bob', 17, 0, 12), (5, 'c@x', NULL, 80, 3, NULL), (9, 'd@x', 'Dan', NULL, 1, 1.5);
DELETE FROM users WHERE id = 9;
INSERT INTO teams VALUES ('red', 'Red', NULL, 1.5, 'open'), ('blue', 'Blue', 'red', 2.5, 'closed'), (NULL, 'Nameless', NULL, NULL, 'open');
INSERT INTO members VALUES (1, 'red', '2020-01-02', 'x'), (2, 'red', NULL, NULL), (1, 'blue', '2021-03-04', 'y');
INSERT INTO strict_ones VALUES (1, 2, 3.5, 'four', x'05', 6), (3, NULL, 0.25, NULL, NULL, 'any');
INSERT INTO strict_keys VALUES ('k', 1), ('l', 'two');
INSERT INTO loose VALUES (1, NULL, 7, 'red', 1.5, 'a'), (7, NULL, NULL, NULL, NULL, 5), (NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO "order" VALUES (1, 's', 'f', 2, 'ab'), (4, NULL, NULL, NULL, NULL);
INSERT INTO log (what) VALUES ('first'), ('second'), ('third');
DELETE FROM log WHERE what = 'first';
INSERT INTO keyed VALUES (1, 2, 'c'), (3, 4, 'd');
INSERT INTO posts VALUES (1, 'Hello', 'to the world'), (7, 'Bye', NULL);
INSERT INTO notes VALUES ('a line of its own');
