Feature: How a workspace is searched
  Search settings are a part of a workspace's configuration: read and changed by themselves, tried
  before they are changed, and kept with their history.

  Background:
    Given a workspace with these documents
      | source_id            | text                                                               |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.                        |
      | policies/leave.txt   | Paid time off is granted for 25 days a year.                       |
      | runbooks/e1042.txt   | Error E1042 means that the payment gateway rejected the signature. |

  Scenario: One setting is changed, and all others stay
    When I change the search settings to {"fusion": {"dense": 0.7}}
    And I change the search settings to {"fusion": {"method": "rrf"}, "depth": 50}
    Then the search settings are at version 3
    And the setting "fusion.dense" is 0.7
    And the setting "fusion.method" is "rrf"
    And the setting "depth" is 50
    And the documents are still found

  Scenario: Null gives a setting its default back
    When I change the search settings to {"fusion": {"dense": 0.7}, "depth": 50}
    And I change the search settings to {"fusion": null, "depth": null}
    Then the setting "fusion.dense" is 0.5
    And the setting "depth" is 100

  Scenario Outline: What cannot be is refused, and the field is named
    When I change the search settings to <patch>
    Then it is refused with 422 and the code "<code>"
    And the field "<field>" is named
    And the search settings are at version 1

    Examples:
      | patch                            | code            | field         |
      | {"fusion": {"method": "guess"}}  | invalid_request | fusion.method |
      | {"fusion": {"colour": "blue"}}   | unknown_field   | fusion.colour |
      | {"depth": 0}                     | invalid_request | depth         |
      | {"reranker": "nobody"}           | unknown_backend | reranker      |
      | {"chunking": {"tokens": 64}}     | unknown_field   | chunking      |
      | {"embedder": "another"}          | unknown_field   | embedder      |

  Scenario: Who read an older version does not overwrite what was changed since
    When I change the search settings to {"depth": 50}
    And I change the search settings to {"depth": 60, "expected_version": 1}
    Then it is refused with 409 and the code "stale_configuration"
    And the setting "depth" is 50

  Scenario: The history tells what was changed, and a version can be had back
    When I change the search settings to {"fusion": {"method": "rrf"}}
    And I roll the configuration back to version 1
    Then the setting "fusion.method" is "weighted"
    And version 2 changed "fusion.method" from "weighted" to "rrf"
    And version 3 changed "fusion.method" from "rrf" to "weighted"

  Scenario: A change is tried before it is made
    When I search by all means for "PTO" with the settings {"understanding": {"synonyms": [["PTO", "paid time off"]]}}
    Then the first hit is "policies/leave.txt"
    And the search was made with settings that were only tried
    And the search settings are at version 1
    When I search by keywords alone for "PTO"
    Then nothing is found

  Scenario: What cannot be is not tried
    When I search by all means for "refunds" with the settings {"fusion": {"method": "guess"}}
    Then it is refused with 422 and the code "invalid_request"
    And the field "fusion.method" is named

  Scenario: A hit says why it is there
    When I search by all means for "refunds" with reasons
    Then the first hit is "policies/refunds.txt"
    And a reason of the first hit begins with "keyword: number 1, with BM25"
    And a reason of the first hit mentions "by 'refunds'"
    And a reason of the first hit begins with "dense: number"
    And a reason of the first hit begins with "fusion (weighted): "
    And the search tells its retriever, revision, version and weights

  Scenario: Without being asked, no hit says why it is there
    When I search "refunds"
    Then no hit says why it is there

  Scenario: A synonym is marked as one
    When I search by all means for "PTO" with reasons and the settings {"understanding": {"synonyms": [["PTO", "paid time off"]]}}
    Then a reason of the first hit mentions "'paid' (of the synonym 'paid time off')"

  Scenario: The command line shows and changes what the service uses
    Given a deployment with "RAG_LOG_LEVEL" set to "warning"
    And a workspace with these documents
      | source_id | text                        |
      | a.txt     | Refunds are paid in 7 days. |
    When I run rag workspaces set WORKSPACE fusion.method=rrf depth=50
    Then it ends with 0 and says "configuration version 2"
    And the setting "fusion.method" is "rrf"
    When I run rag workspaces show WORKSPACE
    Then it ends with 0 and says "method: rrf"
    When I run rag workspaces history WORKSPACE
    Then it ends with 0 and says "fusion.method: weighted → rrf"
    When I run rag workspaces set WORKSPACE fushion.method=rrf
    Then it ends with 2 and says "did you mean 'fusion'?"
