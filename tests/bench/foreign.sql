-- Orders of other people, written past Odoo: `psql -v orders=500000 -f foreign.sql`. One in a thousand has an Amazon id
-- within its name, as a former connector's orders have; the others have none. Every NOT NULL column is copied from an
-- order that is there; `foreign.sh` makes one.
\set ON_ERROR_STOP on
do $$
declare
  columns text;
begin
  select string_agg(quote_ident(column_name), ', ') into columns from information_schema.columns
    where table_name = 'sale_order' and column_name not in ('id', 'name', 'client_order_ref', 'origin', 'access_token')
    and is_generated = 'NEVER';
  execute format(
    'insert into sale_order (name, client_order_ref, origin, %1$s) '
    'select case when n %% 1000 = 0 then ''AMZ-399-'' || lpad((n / 10000000)::text, 7, ''0'') || ''-'' || '
    'lpad((n %% 10000000)::text, 7, ''0'') else ''X'' || n end, ''PO '' || n, ''web shop '' || n, %1$s '
    'from generate_series(1, %2$s) n, (select * from sale_order order by id limit 1) one',
    columns, current_setting('bench.orders'));
end $$;
analyze sale_order;
