-- The occurrences of each word, as the index already keeps them: nothing is stored for this.
CREATE VIRTUAL TABLE term USING fts5vocab(word, instance);
