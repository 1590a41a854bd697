"""Millions of files: found, cut into shards, answered by many workers, and kept as one table.

    sources.py    what is to be answered: files, tar members, rows of Parquet, here or behind a URL
    places.py     where a sound lies, and how that is opened
    containers.py tar and Parquet
    manifests.py  tables and lists of files
    shards.py     the cut, with names that follow from what is in them
    job.py        how all of it is answered: the model and its options
    answers.py    the one shard function: a shard in, a row per file out
    local.py      engine: processes on this machine
    cluster.py    engine: Ray Data
    folder.py     the folder that it is written to, and what it knows of itself
    tables.py     the columns of the table
    run.py        all of it, with a bar
    progress.py   the bar, and how far an archive is that is looked at from outside
    command.py    `intonate archive`, behind the options

An engine takes shards and gives back rows; it writes nothing. One process writes, aside and renamed, so a shard that
was answered twice is still there once, and one that was not answered whole is not there at all.
"""
