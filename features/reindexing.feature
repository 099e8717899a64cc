Feature: Re-indexing
  A workspace moves to another chunking or store while it answers; the way back stays open.

  Background:
    Given a workspace with these documents
      | source_id            | text                                                                          |
      | policies/refunds.txt | Refunds are paid within 7 days of purchase.                                   |
      | policies/travel.txt  | Hotels are reimbursed up to 140 EUR a night. Receipts are due within 30 days. |
      | policies/remote.txt  | Employees may work remotely three days a week.                                |

  Scenario: Chunking is changed while questions are asked
    When I upload a document of many sentences
    And I re-index it with chunks of 32 tokens, asking "How fast are refunds paid?" all the while
    Then every answer said "7 days"
    And the re-indexing is "switched"
    And its configuration is at version 2
    And the document of many sentences has more chunks than before
    When I ask "How fast are refunds paid?"
    Then the answer says "7 days"
    When I confirm the re-indexing
    And I ask "How much is a hotel reimbursed?"
    Then the answer says "140 EUR"

  Scenario: What is uploaded, changed and deleted meanwhile is right before and after
    When I begin to re-index it with chunks of 32 tokens, to be switched by hand
    And I upload "faq/parking.txt" saying "Parking costs 4 EUR a day."
    And I upload "policies/refunds.txt" saying "Refunds are paid within 21 days of purchase."
    And I delete "policies/travel.txt"
    Then the receipt says that every store is purged
    When I ask "How fast are refunds paid?"
    Then the answer says "21 days"
    When I let readers go over
    And I ask "How fast are refunds paid?"
    Then the answer says "21 days"
    And "7 days" appears nowhere
    When I ask "What does parking cost a day?"
    Then the answer says "4 EUR"
    When I search "hotels reimbursed night"
    Then "140 EUR" appears nowhere

  Scenario: A re-indexing is rolled back, and what came since is kept
    When I re-index it with chunks of 32 tokens
    And I upload "faq/parking.txt" saying "Parking costs 4 EUR a day."
    And I delete "policies/travel.txt"
    And I undo the re-indexing
    Then the re-indexing is "rolled_back"
    And version 3 of its configuration is the same as version 1
    When I ask "What does parking cost a day?"
    Then the answer says "4 EUR"
    When I search "hotels reimbursed night"
    Then "140 EUR" appears nowhere

  Scenario: A re-indexing is cancelled
    When I begin to re-index it with chunks of 32 tokens, to be switched by hand
    And I undo the re-indexing
    Then the re-indexing is "cancelled"
    And its configuration is at version 1
    When I re-index it with chunks of 64 tokens
    And I ask "How fast are refunds paid?"
    Then the answer says "7 days"

  Scenario: Another store serves the same chunks
    Given a deployment with a second keyword store, and the same documents
    When I re-index it with the keyword store "second"
    Then the re-indexing is "switched"
    And its generation is 1
    When I search for the words "refunds paid"
    Then the first hit is "policies/refunds.txt"
    When I delete "policies/refunds.txt"
    Then the receipt says that every store is purged
    When I undo the re-indexing
    And I search for the words "refunds paid hotels"
    Then the first hit is "policies/travel.txt"
    And "7 days" appears nowhere

  Scenario Outline: What cannot be is refused
    When I begin to re-index it with <change>
    Then it is refused with <status> and the code "<code>"

    Examples:
      | change                  | status | code                |
      | nothing                 | 409    | nothing_to_reindex  |
      | the embedder nowhere    | 422    | unknown_backend     |
      | chunks of 3 tokens      | 422    | invalid_request     |

  Scenario: There is one at a time, and meanwhile the stores cannot be configured
    When I begin to re-index it with chunks of 32 tokens, to be switched by hand
    And I begin to re-index it with chunks of 64 tokens
    Then it is refused with 409 and the code "reindexing_in_progress"
    When I confirm the re-indexing
    Then it is refused with 409 and the code "reindexing_not_switched"
    When I change the configuration: chunks of 64 tokens
    Then it is refused with 409 and the code "reindexing_in_progress"
    When I change the configuration: fusion by rrf
    Then its configuration is at version 2

  Scenario: Chunking that is changed by configuration alone is refused, and the way is named
    When I change the configuration: chunks of 64 tokens
    Then it is refused with 409 and the code "needs_reindexing"
    And the reason mentions "rag reindex"
