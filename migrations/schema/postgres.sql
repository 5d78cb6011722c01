CREATE TABLE public.block (
    block_number bigint NOT NULL,
    slot bigint NOT NULL,
    block_hash bytea NOT NULL,
    block_time bigint NOT NULL,
    CONSTRAINT block_block_hash_check CHECK ((octet_length(block_hash) = 32)),
    CONSTRAINT block_block_number_check CHECK ((block_number >= 0)),
    CONSTRAINT block_block_time_check CHECK (((block_time >= '-62135596800000000'::bigint) AND (block_time <= '253402300799999999'::bigint))),
    CONSTRAINT block_slot_check CHECK ((slot >= 0))
);

CREATE TABLE public.indexed_operation (
    block_number bigint NOT NULL,
    absn integer NOT NULL,
    osn integer NOT NULL,
    kind text NOT NULL,
    did bytea,
    operation_hash bytea,
    lists_did boolean NOT NULL,
    ignored_reason text,
    CONSTRAINT indexed_operation_check CHECK ((((kind = ANY (ARRAY['did'::text, 'storage'::text])) AND (did IS NOT NULL) AND (operation_hash IS NOT NULL) AND (ignored_reason IS NULL)) OR ((kind = ANY (ARRAY['ignored'::text, 'undecodable'::text])) AND (did IS NULL) AND (operation_hash IS NULL) AND (ignored_reason IS NOT NULL)))),
    CONSTRAINT indexed_operation_check1 CHECK (((kind = 'did'::text) OR (NOT lists_did))),
    CONSTRAINT indexed_operation_did_check CHECK ((octet_length(did) = 32)),
    CONSTRAINT indexed_operation_ignored_reason_check CHECK (((length(ignored_reason) >= 1) AND (length(ignored_reason) <= 200))),
    CONSTRAINT indexed_operation_kind_check CHECK ((kind = ANY (ARRAY['did'::text, 'storage'::text, 'ignored'::text, 'undecodable'::text]))),
    CONSTRAINT indexed_operation_operation_hash_check CHECK ((octet_length(operation_hash) = 32))
);

CREATE VIEW public.did_stats AS
 SELECT did,
    count(*) AS operation_count,
    min(block_number) AS first_block_number,
    max(block_number) AS last_block_number
   FROM public.indexed_operation
  WHERE (did IS NOT NULL)
  GROUP BY did;

CREATE TABLE public.dlt_cursor (
    singleton smallint NOT NULL,
    slot bigint,
    block_number bigint,
    block_hash bytea,
    CONSTRAINT dlt_cursor_block_hash_check CHECK ((octet_length(block_hash) = 32)),
    CONSTRAINT dlt_cursor_block_number_check CHECK ((block_number >= 0)),
    CONSTRAINT dlt_cursor_check CHECK ((((slot IS NULL) AND (block_number IS NULL) AND (block_hash IS NULL)) OR ((slot IS NOT NULL) AND (block_number IS NOT NULL) AND (block_hash IS NOT NULL)))),
    CONSTRAINT dlt_cursor_singleton_check CHECK ((singleton = 1)),
    CONSTRAINT dlt_cursor_slot_check CHECK ((slot >= 0))
);

CREATE TABLE public.indexer_watermark (
    singleton smallint NOT NULL,
    block_number bigint,
    absn integer,
    osn integer,
    CONSTRAINT indexer_watermark_check CHECK ((((block_number IS NULL) AND (absn IS NULL) AND (osn IS NULL)) OR ((block_number IS NOT NULL) AND (absn IS NOT NULL) AND (osn IS NOT NULL)))),
    CONSTRAINT indexer_watermark_singleton_check CHECK ((singleton = 1))
);

CREATE TABLE public.ledger_transaction (
    block_number bigint NOT NULL,
    absn integer NOT NULL,
    transaction_id bytea NOT NULL,
    CONSTRAINT ledger_transaction_absn_check CHECK ((absn >= 0)),
    CONSTRAINT ledger_transaction_transaction_id_check CHECK ((octet_length(transaction_id) = 32))
);

CREATE TABLE public.listed_did (
    did bytea NOT NULL,
    block_number bigint NOT NULL,
    absn integer NOT NULL,
    osn integer NOT NULL,
    CONSTRAINT listed_did_did_check CHECK ((octet_length(did) = 32))
);

CREATE TABLE public.network (
    singleton smallint NOT NULL,
    name text NOT NULL,
    CONSTRAINT network_name_check CHECK ((name = ANY (ARRAY['mainnet'::text, 'preprod'::text, 'preview'::text, 'custom'::text]))),
    CONSTRAINT network_singleton_check CHECK ((singleton = 1))
);

CREATE TABLE public.raw_operation (
    block_number bigint NOT NULL,
    absn integer NOT NULL,
    osn integer NOT NULL,
    operation_id bytea NOT NULL,
    signed_operation bytea NOT NULL,
    CONSTRAINT raw_operation_operation_id_check CHECK ((octet_length(operation_id) = 32)),
    CONSTRAINT raw_operation_osn_check CHECK ((osn >= 0)),
    CONSTRAINT raw_operation_signed_operation_check CHECK ((octet_length(signed_operation) <= 1048576))
);

CREATE VIEW public.raw_operation_by_did AS
 SELECT indexed_operation.did,
    raw_operation.block_number,
    raw_operation.absn,
    raw_operation.osn,
    block.slot,
    block.block_hash,
    block.block_time,
    ledger_transaction.transaction_id,
    raw_operation.operation_id,
    raw_operation.signed_operation,
    indexed_operation.kind,
    indexed_operation.operation_hash,
    indexed_operation.lists_did
   FROM (((public.indexed_operation
     JOIN public.raw_operation ON (((indexed_operation.block_number = raw_operation.block_number) AND (indexed_operation.absn = raw_operation.absn) AND (indexed_operation.osn = raw_operation.osn))))
     JOIN public.ledger_transaction ON (((raw_operation.block_number = ledger_transaction.block_number) AND (raw_operation.absn = ledger_transaction.absn))))
     JOIN public.block ON ((raw_operation.block_number = block.block_number)))
  WHERE (indexed_operation.did IS NOT NULL);

ALTER TABLE ONLY public.block
    ADD CONSTRAINT block_pkey PRIMARY KEY (block_number);

ALTER TABLE ONLY public.block
    ADD CONSTRAINT block_slot_key UNIQUE (slot);

ALTER TABLE ONLY public.dlt_cursor
    ADD CONSTRAINT dlt_cursor_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.indexed_operation
    ADD CONSTRAINT indexed_operation_pkey PRIMARY KEY (block_number, absn, osn);

ALTER TABLE ONLY public.indexer_watermark
    ADD CONSTRAINT indexer_watermark_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.ledger_transaction
    ADD CONSTRAINT ledger_transaction_pkey PRIMARY KEY (block_number, absn);

ALTER TABLE ONLY public.ledger_transaction
    ADD CONSTRAINT ledger_transaction_transaction_id_key UNIQUE (transaction_id);

ALTER TABLE ONLY public.listed_did
    ADD CONSTRAINT listed_did_block_number_absn_osn_key UNIQUE (block_number, absn, osn);

ALTER TABLE ONLY public.listed_did
    ADD CONSTRAINT listed_did_pkey PRIMARY KEY (did);

ALTER TABLE ONLY public.network
    ADD CONSTRAINT network_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY public.raw_operation
    ADD CONSTRAINT raw_operation_pkey PRIMARY KEY (block_number, absn, osn);

CREATE INDEX indexed_operation_by_did ON public.indexed_operation USING btree (did, block_number, absn, osn) WHERE (did IS NOT NULL);

CREATE INDEX indexed_operation_by_storage_hash ON public.indexed_operation USING btree (operation_hash, block_number, absn, osn) WHERE (kind = 'storage'::text);

CREATE INDEX raw_operation_by_id ON public.raw_operation USING btree (operation_id, block_number, absn, osn);

ALTER TABLE ONLY public.indexed_operation
    ADD CONSTRAINT indexed_operation_block_number_absn_osn_fkey FOREIGN KEY (block_number, absn, osn) REFERENCES public.raw_operation(block_number, absn, osn);

ALTER TABLE ONLY public.indexer_watermark
    ADD CONSTRAINT indexer_watermark_block_number_absn_osn_fkey FOREIGN KEY (block_number, absn, osn) REFERENCES public.raw_operation(block_number, absn, osn);

ALTER TABLE ONLY public.ledger_transaction
    ADD CONSTRAINT ledger_transaction_block_number_fkey FOREIGN KEY (block_number) REFERENCES public.block(block_number);

ALTER TABLE ONLY public.listed_did
    ADD CONSTRAINT listed_did_block_number_absn_osn_fkey FOREIGN KEY (block_number, absn, osn) REFERENCES public.indexed_operation(block_number, absn, osn);

ALTER TABLE ONLY public.raw_operation
    ADD CONSTRAINT raw_operation_block_number_absn_fkey FOREIGN KEY (block_number, absn) REFERENCES public.ledger_transaction(block_number, absn);
