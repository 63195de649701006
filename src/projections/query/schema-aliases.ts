import {
  type KyselyPlugin,
  OperationNodeTransformer,
  type PluginTransformQueryArgs,
  type QueryId,
  type SchemableIdentifierNode,
} from 'kysely'

/** Has the schemas that a query names by an alias mean others. */
export class SchemaAliases implements KyselyPlugin {
  readonly #renamer: Renamer

  constructor(schemas: ReadonlyMap<string, string>) {
    this.#renamer = new Renamer(schemas)
  }

  transformQuery({ node, queryId }: PluginTransformQueryArgs): PluginTransformQueryArgs['node'] {
    return this.#renamer.transformNode(node, queryId)
  }

  async transformResult<T>({ result }: { readonly result: T }): Promise<T> {
    return result
  }
}

class Renamer extends OperationNodeTransformer {
  readonly #schemas: ReadonlyMap<string, string>

  constructor(schemas: ReadonlyMap<string, string>) {
    super()
    this.#schemas = schemas
  }

  protected override transformSchemableIdentifier(
    node: SchemableIdentifierNode,
    queryId?: QueryId,
  ): SchemableIdentifierNode {
    const identifier = super.transformSchemableIdentifier(node, queryId)
    const name = identifier.schema && this.#schemas.get(identifier.schema.name)
    if (identifier.schema === undefined || name === undefined) return identifier
    return { ...identifier, schema: { ...identifier.schema, name } }
  }
}
