Feature: Models of one's own choice
  Embedders and rerankers are servers or libraries of others; what they do can be looked at, and
  what they fail to do is said.

  Scenario: A model's vectors can be looked at
    When I embed "Refunds are paid within 7 days of purchase." and "Lunch is served at noon."
    Then there are 2 vectors of length 1
    And "When are refunds paid?" is nearest to the first

  Scenario: A reranker's judgement can be looked at
    Given a deployment with "RAG_RERANKER__KIND" set to "mock"
    When I rerank for "When are refunds paid?"
      | text                                        |
      | Lunch is served at noon.                    |
      | Refunds are paid within 7 days of purchase. |
    Then the best is text 2

  Scenario: A model that is not there
    When I ask embedder "defualt" for a vector
    Then it is refused with 404 and the code "unknown_model"
    And the reason mentions "did you mean 'default'?"

  Scenario: The embedder is a server, which goes down and comes back
    Given a deployment whose embedder is a server
    And a workspace with these documents
      | source_id            | text                                                                          |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.                                   |
      | policies/travel.txt  | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days. |
    When I ask "Within how many days of purchase are refunds paid?"
    Then the answer says "7 days"
    And the answer lacked no model
    When the model server goes down
    And I ask "Within how many days of the purchase are refunds paid?"
    Then the answer says "7 days"
    And the answer lacked "dense_retrieval"
    When the model server comes back
    And I ask "Within how many days of a purchase are refunds paid?"
    Then the answer says "7 days"
    And the answer lacked no model

  Scenario: Documents wait for the embedder
    Given a deployment whose embedder is a server
    And an empty workspace
    When the model server goes down
    And I hand in "policies/refunds.txt" saying "Refunds are paid within 7 days of purchase."
    Then it is not indexed yet
    When the model server comes back
    Then it is indexed without being handed in again

  Scenario: The embedder begins to answer with another model's vectors
    Given a deployment whose embedder is a server
    And a workspace with these documents
      | source_id            | text                                        |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase. |
    When the model server gives vectors of 128 dimensions
    And I ask "Within how many days of purchase are refunds paid?"
    Then the answer says "7 days"
    And the answer lacked "dense_retrieval"

  Scenario: The reranker is a server, which goes down
    Given a deployment whose reranker is a server
    And a workspace with these documents
      | source_id            | text                                                                          |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.                                   |
      | policies/travel.txt  | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days. |
    When I ask "Within how many days of purchase are refunds paid?"
    Then the answer was made by the reranker "remote"
    And every source shows what the reranker said
    When the model server goes down
    And I ask "Within how many days of the purchase are refunds paid?"
    Then the answer says "7 days"
    And the answer lacked "reranker"

  Scenario Outline: Reranking only where the first passage is not clear
    Given a deployment that reranks what vectors and keywords find
    And a workspace that skips reranking at a margin of <margin> with these documents
      | source_id             | text                                                                   |
      | policies/refunds.txt  | Refunds are paid within 7 days of purchase.                            |
      | policies/gifts.txt    | Gifts are declared within the days after they came, as are favours.    |
      | policies/invoices.txt | Invoices are paid at the end of the month.                             |
      | policies/travel.txt   | Receipts of hotels are due within 30 days.                             |
    When I ask "Within how many days of purchase are refunds paid?"
    Then the answer says "7 days"
    And reranking <was> skipped

    Examples:
      | margin | was     |
      | 0.05   | was     |
      | none   | was not |
