Feature: Choosing by configuration alone
  Backends are switched by settings; a setting that cannot work stops the start with a sentence.

  Scenario: A workspace names another generator
    Given a deployment with "RAG_GENERATORS__TEMPLATE__KIND" set to "mock"
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I change the configuration: generator template
    And I ask "How fast are refunds paid?"
    Then the answer says "Refunds are paid within 7 days of purchase. [1]"
    And the answer was made by the generator "mock"

  Scenario: A workspace names another cache
    Given a deployment with "RAG_CACHES__FORGETFUL__KIND" set to "none"
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I change the configuration: cache forgetful
    And I ask "How fast are refunds paid?"
    And I ask "How fast are refunds paid?"
    Then the answer was made anew

  Scenario Outline: The whole deployment uses another backend
    Given a deployment with "<variable>" set to "<kind>"
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When I ask "Within how many days of purchase are refunds paid?"
    Then the answer says "7 days"
    And the answer was made by the <stage> "<kind>"

    Examples:
      | variable             | stage     | kind       |
      | RAG_GENERATOR__KIND  | generator | extractive |
      | RAG_GENERATOR__KIND  | generator | mock       |
      | RAG_RETRIEVER__KIND  | retriever | hybrid     |
      | RAG_RETRIEVER__KIND  | retriever | dense      |
      | RAG_RETRIEVER__KIND  | retriever | keyword    |
      | RAG_RERANKER__KIND   | reranker  | mock       |

  Scenario: What is stored does not depend on what answers
    Given a deployment with "RAG_GENERATOR__KIND" set to "mock"
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When the deployment is restarted with "RAG_KEYWORDS__KIND" set to "rank-bm25"
    And I ask "How fast are refunds paid?"
    Then the answer says "7 days"

  Scenario Outline: A setting that cannot work stops the start with a sentence
    When the settings are read with "<variable>" set to "<value>"
    Then the start is refused, saying "<sentence>"

    Examples:
      | variable                  | value     | sentence                                                                      |
      | RAG_GENERATOR__KIND       | extractve | unknown generator 'extractve': did you mean 'extractive'?                     |
      | RAG_GENERATOR__KIND       | vlm       | unknown generator 'vlm': did you mean 'vllm'?                                 |
      | RAG_CACHE__KIND           | redsi     | unknown cache 'redsi': did you mean 'redis'?                                  |
      | RAG_RETRIEVER__KIND       | oracle    | unknown retriever 'oracle': there are 'dense', 'hybrid', 'keyword', 'mock'    |
      | RAG_CATALOG__KIND         | postgres  | unknown catalog 'postgres'                                                    |
      | RAG_CACHE__TTL            | 60        | unknown option 'ttl' of cache 'memory': did you mean 'ttl_s'?                 |
      | RAG_GENERATORS__A__KIND   | mokc      | unknown generators.a 'mokc': did you mean 'mock'?                             |
      | RAG_GENERTOR__KIND        | mock      | unknown environment variable 'RAG_GENERTOR__KIND': did you mean 'RAG_GENERATOR'? |
      | RAG_PROFILE               | lcoal     | unknown profile 'lcoal': did you mean 'local'?                                |
      | RAG_PORT                  | 70000     | port:                                                                         |
      | RAG_HTTP__TIMEOUT         | 5         | unknown option 'timeout'                                                      |
      | RAG_WORKSPACE__FUSION__K  | 0         | k at least 1                                                                  |

  Scenario: The effective settings can be read, but not the secrets in them
    When the settings are read with these variables
      | variable            | value                                      |
      | RAG_CACHE__KIND     | redis                                      |
      | RAG_CACHE__PASSWORD | open-sesame                                |
      | RAG_CACHE__URL      | redis://user:hunter2@127.0.0.1:6379/0      |
    Then they show "kind: redis"
    And they do not show "open-sesame"
    And they do not show "hunter2"
