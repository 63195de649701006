import {
  ColumnNode,
  type ColumnUpdateNode,
  type InsertQueryNode,
  type KyselyPlugin,
  type OperationNode,
  OperationNodeTransformer,
  type PluginTransformQueryArgs,
  type QueryId,
  ReferenceNode,
  TableNode,
  type UpdateQueryNode,
  ValueListNode,
  ValueNode,
  ValuesNode,
} from 'kysely'
import type { Columns, Tables } from '../tables/table.ts'
import { encodeColumn } from './fold-table.ts'

/**
 * Writes the values that a query inserts or sets as the columns of a projection's tables declare, the
 * way a fold does: pg by itself would store a list in a `jsonb` column as a Postgres array.
 */
export class EncodeValues implements KyselyPlugin {
  readonly #transformer: ValueEncoder

  constructor(tables: Tables) {
    this.#transformer = new ValueEncoder(tables)
  }

  transformQuery({ node, queryId }: PluginTransformQueryArgs): PluginTransformQueryArgs['node'] {
    return this.#transformer.transformNode(node, queryId)
  }

  async transformResult<T>({ result }: { readonly result: T }): Promise<T> {
    return result
  }
}

class ValueEncoder extends OperationNodeTransformer {
  readonly #tables: Tables

  constructor(tables: Tables) {
    super()
    this.#tables = tables
  }

  protected override transformInsertQuery(
    node: InsertQueryNode,
    queryId?: QueryId,
  ): InsertQueryNode {
    const insert = super.transformInsertQuery(node, queryId)
    const columns = this.#columnsOf(insert.into)
    if (columns === undefined) return insert
    const names = insert.columns?.map(({ column }) => column.name) ?? []
    const { values, onConflict } = insert
    return {
      ...insert,
      ...(values !== undefined && ValuesNode.is(values)
        ? { values: encodeRows(columns, names, values) }
        : {}),
      ...(onConflict?.updates === undefined
        ? {}
        : { onConflict: { ...onConflict, updates: encodeUpdates(columns, onConflict.updates) } }),
    }
  }

  protected override transformUpdateQuery(
    node: UpdateQueryNode,
    queryId?: QueryId,
  ): UpdateQueryNode {
    const update = super.transformUpdateQuery(node, queryId)
    const columns = this.#columnsOf(update.table)
    if (columns === undefined || update.updates === undefined) return update
    return { ...update, updates: encodeUpdates(columns, update.updates) }
  }

  #columnsOf(table: OperationNode | undefined): Columns | undefined {
    if (table === undefined || !TableNode.is(table)) return undefined
    return this.#tables[table.table.identifier.name]?.columns
  }
}

function encodeRows(columns: Columns, names: readonly string[], rows: ValuesNode): ValuesNode {
  return ValuesNode.create(
    rows.values.map((row) => {
      const nodes =
        row.kind === 'ValueListNode'
          ? row.values
          : row.values.map((value) => ValueNode.create(value))
      return ValueListNode.create(nodes.map((node, i) => encodeNode(columns, names[i], node)))
    }),
  )
}

function encodeUpdates(
  columns: Columns,
  updates: readonly ColumnUpdateNode[],
): readonly ColumnUpdateNode[] {
  return updates.map((update) => ({
    ...update,
    value: encodeNode(columns, nameOf(update.column), update.value),
  }))
}

function encodeNode(
  columns: Columns,
  name: string | undefined,
  node: OperationNode,
): OperationNode {
  const spec = name === undefined ? undefined : columns[name]?.spec
  if (spec === undefined || name === undefined || !ValueNode.is(node) || node.immediate) return node
  return ValueNode.create(encodeColumn({ name, spec }, node.value))
}

function nameOf(node: OperationNode): string | undefined {
  if (ColumnNode.is(node)) return node.column.name
  return ReferenceNode.is(node) && ColumnNode.is(node.column) ? node.column.column.name : undefined
}
